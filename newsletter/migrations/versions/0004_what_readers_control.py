"""What readers control: an address that waits to be confirmed; files for subscribers"""

from alembic import op
import sqlalchemy as sa


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One by one: a batch might make SQLite's table anew, and take what refers to its rows along.
    op.add_column('subscribers', sa.Column('new_email', sa.String(length=254), nullable=True))
    op.add_column('subscribers', sa.Column('new_email_key', sa.String(length=254), nullable=True))
    op.create_table('resources',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('filename', sa.String(length=200), nullable=False),
    sa.Column('content_type', sa.String(length=100), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_resources')),
    sa.UniqueConstraint('name', name=op.f('uq_resources_name'))
    )


def downgrade() -> None:
    op.drop_table('resources')
    op.drop_column('subscribers', 'new_email_key')
    op.drop_column('subscribers', 'new_email')
