// The block in the editor: the form as readers see it, and what may be chosen for it.
( function ( wp, door ) {
	const el = wp.element.createElement;
	const __ = ( text ) => wp.i18n.__( text, 'newsletter-door' );

	function Form( { attributes } ) {
		if ( ! door.page ) {
			return el( 'p', {}, __( 'An administrator has to enter the address and list under Settings > Newsletter.' ) );
		}
		return el( 'iframe', {
			className: 'newsletter-door',
			src: door.page + 'embed' + ( attributes.theme === 'dark' ? '?theme=dark' : '' ),
			title: __( 'Newsletter form' ),
			height: attributes.height,
			tabIndex: -1,
			style: { width: '100%', border: 0, display: 'block', pointerEvents: 'none', colorScheme: 'light' },
		} );
	}

	function Controls( { attributes, setAttributes } ) {
		return el(
			wp.blockEditor.InspectorControls,
			{},
			el(
				wp.components.PanelBody,
				{ title: __( 'Form' ) },
				el( wp.components.ToggleControl, {
					label: __( 'Dark form' ),
					checked: attributes.theme === 'dark',
					onChange: ( dark ) => setAttributes( { theme: dark ? 'dark' : 'light' } ),
				} ),
				el( wp.components.RangeControl, {
					label: __( 'Height' ),
					help: __( 'In pixels. With JavaScript, the form becomes as tall as it needs.' ),
					min: 100,
					max: 2000,
					value: attributes.height,
					onChange: ( height ) => setAttributes( { height } ),
				} )
			)
		);
	}

	wp.blocks.registerBlockType( 'newsletter-door/form', {
		edit: ( properties ) =>
			el(
				wp.element.Fragment,
				{},
				el( Controls, properties ),
				el( 'div', wp.blockEditor.useBlockProps(), el( Form, properties ) )
			),
		save: () => null,
	} );
} )( window.wp, window.newsletterDoor || {} );
